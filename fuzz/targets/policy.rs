//! Policies as TOML and as JSON: any text is a policy or an error, and a policy survives being
//! written and read again.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stockade_core::{Bytes, Cpus, Limit, Policy, PolicyError};

fuzz_target!(|text: &str| {
    look_at(Policy::from_toml(text));
    look_at(Policy::from_json(text));
    let _: Result<Limit<Bytes>, _> = text.parse();
    let _: Result<Limit<Duration>, _> = text.parse();
    let _: Result<Cpus, _> = text.parse();
});

fn look_at(read: Result<Policy, PolicyError>) {
    let policy = match read {
        Ok(policy) => policy,
        Err(error) => {
            let _ = (error.to_string(), error.hint());
            return;
        }
    };
    assert_eq!(policy.validate(), Ok(()), "what is read is valid");
    let json = serde_json::to_string(&policy).expect("JSON holds every policy");
    survives(&policy, Policy::from_json(&json), &json);
    // TOML has no numbers above 2⁶³.
    if let Ok(toml) = policy.to_toml() {
        survives(&policy, Policy::from_toml(&toml), &toml);
    }
}

fn survives(policy: &Policy, back: Result<Policy, PolicyError>, text: &str) {
    let back = back.unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(back, *policy, "{text}");
    assert_eq!(back.hash(), policy.hash(), "{text}");
}
