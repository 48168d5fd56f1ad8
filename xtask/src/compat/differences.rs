//! Where tests of CPython go otherwise in a sandbox, and why.

/// Reasons, each with the tests it explains; the last part of a name may be `*`.
pub(super) const LISTED: &[(&str, &[&str])] = &[
    (
        "a sandbox has no pseudo-terminals: there is no /dev/ptmx",
        &[
            "test.test_os.FDInheritanceTests.test_openpty",
            "test.test_pty.PtyTest.*",
            "test.test_openpty.OpenptyTest.test",
            "test.test_builtin.PtyTests.test_input_no_stdout_fileno",
            "test.test_asyncio.test_events.EPollEventLoopTests.test_bidirectional_pty",
            "test.test_asyncio.test_events.EPollEventLoopTests.test_read_pty_output",
            "test.test_asyncio.test_events.EPollEventLoopTests.test_write_pty",
            "test.test_asyncio.test_events.PollEventLoopTests.test_bidirectional_pty",
            "test.test_asyncio.test_events.PollEventLoopTests.test_read_pty_output",
            "test.test_asyncio.test_events.PollEventLoopTests.test_write_pty",
            "test.test_asyncio.test_events.SelectEventLoopTests.test_bidirectional_pty",
            "test.test_asyncio.test_events.SelectEventLoopTests.test_read_pty_output",
            "test.test_asyncio.test_events.SelectEventLoopTests.test_write_pty",
        ],
    ),
    (
        "set-user-ID and set-group-ID bits are refused",
        &["test.test_os.MakedirTests.test_exist_ok_s_isgid_directory"],
    ),
    (
        "users and groups of the host are not mapped: changing to one is EINVAL, not EPERM",
        &[
            "test.test_subprocess.POSIXProcessTestCase.test_group",
            "test.test_subprocess.POSIXProcessTestCase.test_user",
        ],
    ),
    (
        "there is no /etc/services without the host's network",
        &[
            "test.test_socket.GeneralModuleTests.testGetServBy",
            "test.test_socket.GeneralModuleTests.testGetaddrinfo",
            "test.test_asyncio.test_base_events.BaseEventLoopWithSelectorTests.\
             test_create_connection_service_name",
        ],
    ),
    (
        "interfaces are listed by netlink sockets, which are refused",
        &[
            "test.test_uuid.TestInternalsWithExtModule.test_ifconfig_getnode",
            "test.test_uuid.TestInternalsWithExtModule.test_ip_getnode",
            "test.test_uuid.TestInternalsWithoutExtModule.test_ifconfig_getnode",
            "test.test_uuid.TestInternalsWithoutExtModule.test_ip_getnode",
            "test.test_socket.GeneralModuleTests.testInterfaceNameIndex",
            "test.test_socket.GeneralModuleTests.test_getaddrinfo_ipv6_scopeid_symbolic",
            "test.test_socket.GeneralModuleTests.test_getnameinfo_ipv6_scopeid_symbolic",
        ],
    ),
    (
        "limits of file size and CPU time are the policy's, and not the program's to lift",
        &[
            "test.test_resource.ResourceTest.test_fsize_ismax",
            "test.test_resource.ResourceTest.test_setrusage_refcount",
        ],
    ),
    (
        "prlimit takes pid 0 alone: for another number it is EPERM, not ESRCH",
        &["test.test_resource.ResourceTest.test_prlimit"],
    ),
    (
        "there is no /etc/shadow to be refused",
        &["test.test_spwd.TestSpwdNonRoot.test_getspnam_exception"],
    ),
    (
        "the disk in memory has no room for files of gigabytes",
        &[
            "test.test_largefile.TestCopyfile.test_it",
            "test.test_largefile.TestSocketSendfile.test_it",
        ],
    ),
    (
        "the interpreter's folder is read-only: removing a file that is not there is EROFS, not ENOENT",
        &[
            "test.test_import.ImportTests.test_import",
            "test.test_import.PycacheTests.test___cached__",
            "test.test_import.PycacheTests.test_package___cached___from_pyc",
            "test.test_import.PycacheTests.test_recompute_pyc_same_second",
            "test.test_importlib.test_threaded_import.ThreadedImportTests.test_circular_imports",
            "test.test_importlib.test_threaded_import.ThreadedImportTests.test_side_effect_import",
            "test.test_pickle.CUnpicklerTests.test_unpickle_module_race",
            "test.test_pickle.InMemoryPickleTests.test_unpickle_module_race",
            "test.test_pickle.PyUnpicklerTests.test_unpickle_module_race",
        ],
    ),
    (
        "directory notifications and leases are refused",
        &["test.test_fcntl.TestFcntl.test_fcntl_64_bit"],
    ),
];

/// Why a test may differ, if it is listed.
pub(super) fn reason(name: &str) -> Option<&'static str> {
    let matches = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *pattern,
    };
    LISTED.iter().find(|(_, tests)| tests.iter().any(matches)).map(|(reason, _)| *reason)
}
