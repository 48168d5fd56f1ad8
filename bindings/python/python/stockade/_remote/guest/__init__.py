"""Modules that run inside the sandbox, as the package ``stockade_guest``.

They import the standard library and each other, and nothing else of Stockade: the package on the host
may be an editable install, which the sandbox does not see.
"""
