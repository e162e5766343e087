//! Every input there is: what the walk tries at each request that it reaches.

use countersign::domain::decision::Verdict;

use super::{
    fixtures::{MOMENTS, VERDICTS, Who},
    input::{Ids, Input, Said, Screen, Then, Which, Words},
};

/// The calls that a worker may try to make.
const BATCHES: [Ids; 2] = [&["001", "002"], &["003"]];
const ODD_BATCHES: [Ids; 3] = [&[], &["002"], &["001", "999"]];
const LOST: [Ids; 3] = [&[], &["003"], &["001", "002", "003"]];

/// Every input there is.
pub(super) fn every_input() -> Vec<Input> {
    let mut inputs = vec![Input::Hold];
    for now in MOMENTS {
        for may in [true, false] {
            inputs.extend(votes(may, now));
            inputs.extend([true, false].map(|by_owner| Input::Cancel { by_owner, may, now }));
        }
        inputs.extend(redecisions(now));
        inputs.extend(VERDICTS.map(|verdict| Input::Return { verdict, now }));
        inputs.push(Input::EndWait { now });
        inputs.extend([Input::Expire { now }, Input::Withdraw { now }, Input::Recover { now }]);
        inputs.push(Input::BeginTurn { now });
        inputs.push(Input::Find { on: &["001"], now });
        inputs.extend(LOST.map(|lost| Input::LoseAll { lost, now }));
        inputs.extend(claims(now));
        inputs.extend(answers(now));
    }
    inputs
}

fn votes(may: bool, now: i64) -> Vec<Input> {
    let mut inputs = Vec::new();
    for who in Who::ALL {
        for screen in Screen::ALL {
            let approve = |verdict| Input::Approve { who, screen, may, verdict, now };
            inputs.extend(VERDICTS.map(approve));
            let words = Words::Right;
            let glass = |verdict| Input::BreakGlass { who, screen, may, words, verdict, now };
            inputs.extend(VERDICTS.map(glass));
            let reject = |reason| Input::Reject { who, screen, may, reason, now };
            inputs.extend(["a test of ours", " \n"].map(reject));
        }
        inputs.extend(VERDICTS.map(|verdict| Input::Retract { who, may, verdict, now }));
        let (screen, verdict) = (Screen::Current, Verdict::Run);
        let odd = |words| Input::BreakGlass { who, screen, may, words, verdict, now };
        inputs.extend([Words::WrongPrefix, Words::NoReason].map(odd));
    }
    inputs
}

fn redecisions(now: i64) -> Vec<Input> {
    let both = [true, false];
    let redecide =
        |verdict| both.map(|other| Input::Redecide { verdict, other_policies: other, now });
    let lapse = VERDICTS.map(|verdict| Input::LapseVotes { verdict, now });
    VERDICTS.into_iter().flat_map(redecide).chain(lapse).collect()
}

fn claims(now: i64) -> Vec<Input> {
    let mut inputs = Vec::new();
    for lost in LOST {
        for (batch, verdict, frozen) in calls() {
            inputs.push(Input::Claim { batch, lost, verdict, frozen, now });
        }
    }
    inputs
}

fn answers(now: i64) -> Vec<Input> {
    let of_another =
        |report| Input::Answer { attempt: Which::Other, report, next: Then::Stop, now };
    let mut inputs = Said::ALL.map(of_another).to_vec();
    let orders = calls().map(|(batch, verdict, frozen)| Then::Order { batch, verdict, frozen });
    for next in orders.chain([Then::Later, Then::Stop]) {
        let answer = |report| Input::Answer { attempt: Which::Open, report, next, now };
        inputs.extend(Said::ALL.map(answer));
        inputs.push(Input::Resume { next, now });
    }
    inputs
}

/// What a worker may try to send: its usual batches with all that may be wrong around them, and
/// odd ones where all else is right.
fn calls() -> impl Iterator<Item = (Ids, Verdict, bool)> {
    let around = |batch| {
        VERDICTS.into_iter().flat_map(move |verdict| {
            [true, false].into_iter().map(move |frozen| (batch, verdict, frozen))
        })
    };
    let usual = BATCHES.into_iter().flat_map(around);
    usual.chain(ODD_BATCHES.map(|batch| (batch, Verdict::Run, false)))
}
