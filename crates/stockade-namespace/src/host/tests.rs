use stockade_warden::wire::request::Settle;

use super::*;

#[test]
fn a_covered_proc_weakens_files_alone_and_says_how_to_uncover_it() {
    let host = Host::look();
    let (open, covered) = (host.support(7, false), host.support(7, true));
    let differing: Vec<Control> = Control::ALL
        .into_iter()
        .filter(|control| open.ability(*control) != covered.ability(*control))
        .collect();
    assert_eq!(differing, [Control::Filesystem]);
    let Ability::Approximated { mechanism, reason, fix } = covered.ability(Control::Filesystem)
    else {
        panic!("{covered:?}");
    };
    assert!(mechanism.contains("Landlock ABI 7"), "{mechanism}");
    assert!(reason.starts_with("/proc is empty"), "{reason}");
    assert!(fix.is_some_and(|fix| fix.contains("systempaths=unconfined")));
}

#[test]
fn a_refused_user_namespace_is_unsupported_and_names_the_step() {
    let source = std::io::Error::from_raw_os_error(libc::EPERM);
    let error = refusal::refusal(Settle::UserNamespace as u64, source);
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.to_string(), "the helper process failed while making its user namespace");
    assert!(error.hint().is_some());
}
