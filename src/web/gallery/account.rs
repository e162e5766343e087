//! Made-up pages of one's own account, and of the step after the password.

use askama::Template as _;

use super::{
    Layout, layout,
    made_up::{HOSTILE, at, id},
};
use crate::{
    broker::{
        admin::{
            OwnSession,
            passkeys::{OwnPasskey, second_factor::SecondFactor},
            people::api_tokens::ListedApiToken,
        },
        notifications::OwnChannels,
    },
    domain::{
        actor::api_token::{ApiToken, TokenScope},
        digest::Digest,
    },
    web::{
        admin::{
            account::{
                AccountPage,
                own::OwnParts,
                second_factor::RecoveryCodesPage,
                tokens::{TokensPage, TypedToken},
            },
            provider::{ConfirmPage, ConfirmedPage},
            sign_in::{first::FirstSignInPage, second_factor::SecondFactorPage},
        },
        drafts::confirmations::SentForm,
    },
};

fn own() -> OwnParts {
    let session = |this| OwnSession {
        id: Digest::of(b"session"),
        this,
        began_at: at(1),
        used_at: at(2),
        source: "203.0.113.9".to_owned(),
        device: HOSTILE.to_owned(),
    };
    OwnParts {
        sessions: vec![session(true), session(false)],
        sign_ins: Vec::new(),
        channels: OwnChannels {
            mail: Some(HOSTILE.to_owned()),
            mails: true,
            shared: vec!["webhook.ops".to_owned()],
            quiet: None,
            on_call: true,
            utc_offset_minutes: -210,
        },
        quiet: (HOSTILE.to_owned(), String::new()),
    }
}

fn account(second_factor: Option<SecondFactor>) -> AccountPage {
    let passkey = |number, elsewhere: Option<&str>| OwnPasskey {
        id: id(number),
        name: HOSTILE.to_owned(),
        added_at: at(1),
        used_at: elsewhere.is_none().then(|| at(2)),
        may_be_copied: true,
        elsewhere: elsewhere.map(str::to_owned),
    };
    AccountPage {
        layout: layout("Your account", "/account"),
        problem: Some(HOSTILE.to_owned()),
        provided: None,
        linkable: Some(HOSTILE.to_owned()),
        passkeys: vec![passkey(1, None), passkey(2, Some(HOSTILE)), passkey(3, Some(""))],
        second_factor,
        impossible: None,
        name_chars_max: 40,
        own: own(),
    }
}

fn tokens(addresses_known: bool) -> TokensPage {
    let listed = |service| ListedApiToken {
        token: ApiToken {
            id: id(7),
            owner: id(8),
            name: HOSTILE.to_owned(),
            service,
            scopes: TokenScope::ALL.into(),
            networks: vec!["192.0.2.0/24".parse().unwrap()],
            created_at: at(1),
            expires_at: at(4),
            used: service.then(|| (at(2), HOSTILE.to_owned())),
        },
        owner: HOSTILE.to_owned(),
        expired: service,
    };
    let typed = TypedToken {
        name: HOSTILE.to_owned(),
        owner: HOSTILE.to_owned(),
        networks: HOSTILE.to_owned(),
        days: HOSTILE.to_owned(),
        scopes: vec![TokenScope::Read],
    };
    TokensPage {
        layout: layout("API tokens", "/account"),
        problem: Some(HOSTILE.to_owned()),
        provided: !addresses_known,
        addresses_known,
        own: vec![listed(false)],
        others: Some((vec![listed(true)], vec![HOSTILE.to_owned()])),
        typed,
    }
}

pub(super) fn pages() -> Vec<(&'static str, askama::Result<String>)> {
    let on = SecondFactor { since: at(3), codes_left: 2 };
    let codes = vec!["0123-4567-89ab-cdef-0123-4567".to_owned(); 10];
    let step = SecondFactorPage {
        layout: Layout::anonymous("Confirm that it is you"),
        problem: Some(HOSTILE.to_owned()),
        ticket: HOSTILE.to_owned(),
        next: HOSTILE.to_owned(),
        passkeys: true,
    };
    let codes = RecoveryCodesPage { layout: layout("Your recovery codes", "/account"), codes };
    let provided = AccountPage { provided: Some(HOSTILE.to_owned()), ..account(None) };
    let first = FirstSignInPage {
        layout: Layout::anonymous("Your first sign-in"),
        problem: Some(HOSTILE.to_owned()),
        name: "fred".to_owned(),
        chars_min: 12,
        chars_max: 128,
    };
    let confirm = ConfirmPage {
        layout: layout("Confirm that it is you", ""),
        provider: HOSTILE.to_owned(),
        url: "https://login.example/authorize?a=b&c=d".to_owned(),
    };
    let confirmed = ConfirmedPage {
        layout: layout("Confirmed", ""),
        provider: HOSTILE.to_owned(),
        form: SentForm::new(
            "/requests/1/approve",
            vec![("comment".to_owned(), HOSTILE.to_owned())],
        ),
        confirmation: Digest::of(b"confirmation"),
    };
    vec![
        ("tokens", tokens(true).render()),
        ("tokens-impossible", tokens(false).render()),
        ("account", account(None).render()),
        ("account-provided", provided.render()),
        ("first-sign-in", first.render()),
        ("confirm", confirm.render()),
        ("confirmed", confirmed.render()),
        ("account-second-factor", account(Some(on)).render()),
        ("second-factor", step.render()),
        ("recovery-codes", codes.render()),
    ]
}
