//! The identity provider in the configuration, and what `countersign doctor` finds of it.

use std::iter;

use countersign::config::Config;

use crate::harness::{PASSWORD, page::PersonClient, program::Program, provider::FakeProvider};

const ROLES: &str = "roles = [{ group = \"soc\", role = \"senior\" }]\n";

/// What is said about a configuration with this section.
fn load(section: &str) -> Result<Config, String> {
    let program = Program::new();
    let text = format!("{}[oidc]\n{section}", program.configuration("http://127.0.0.1:9"));
    program.write("countersign.toml", &text);
    Config::load(&program.path("countersign.toml"), iter::empty())
        .map_err(|error| error.to_string())
}

fn section(url: &str, more: &str) -> String {
    format!("name = \"Corp Login\"\nissuer = \"{url}\"\nclient_id = \"countersign\"\n{more}")
}

#[test]
fn wrong_section_of_provider_names_key_and_value() {
    let url = "https://login.example";
    let with = |more: &str| section(url, &format!("{ROLES}{more}"));
    let cases = [
        (section(url, ""), "missing field `roles`"),
        (section(url, "roles = []\n"), "`oidc.roles` is `[]`"),
        (
            section(url, "roles = [{ group = \"soc\", role = \"boss\" }]"),
            "`oidc.roles.role` is `boss`",
        ),
        (section(url, "roles = [{ group = \"\", role = \"lead\" }]"), "`oidc.roles.group` is ``"),
        (
            section(url, "roles = [{ group = \" soc\", role = \"lead\" }]"),
            "without blanks around it",
        ),
        (
            section(
                url,
                "roles = [{ group = \"a\", role = \"lead\" }, { group = \"a\", role = \"senior\" }]",
            ),
            "each group once",
        ),
        (with("").replace("Corp Login", "Corp\\nLogin"), "in one line"),
        (with("teams = [{ group = \"soc\", team = \"E/U\" }]"), "`oidc.teams.team` is `E/U`"),
        (with("teams = [{ group = \"\", team = \"eu\" }]"), "`oidc.teams.group` is ``"),
        (
            with("teams = [{ group = \"a\", team = \"eu\" }, { group = \"a\", team = \"eu\" }]"),
            "each group and its team once",
        ),
        (with("reread_minutes = 0"), "`oidc.reread_minutes` is `0`"),
        (with("reread_minutes = 721"), "a whole number from 1 to 720"),
        (with("local_people = [\"Root\"]"), "`oidc.local_people` is `Root`"),
        (with("role_claim = \" \""), "`oidc.role_claim` is ` `"),
        (with("ca_file = \"a\"\npin_sha256 = \"b\""), "either ca_file or pin_sha256"),
        (with("client_secret = \"it stands in a file\""), "unknown field `client_secret`"),
        (with("").replace("Corp Login", ""), "`oidc.name` is ``"),
        (with("").replace("Corp Login", &"x".repeat(41)), "at most 40 characters"),
    ];
    for (section, expected) in cases {
        let said = load(&section).unwrap_err();
        assert!(said.contains(expected), "{section}: {said}");
    }
    assert!(load(&with("")).is_ok());
}

/// What `doctor` says of signing in.
fn examined(section: &str) -> String {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let text = format!("{}[oidc]\n{section}", program.configuration("http://127.0.0.1:9"));
    program.write("countersign.toml", &text);
    program.write("oidc.secret", "a-secret");
    let said = String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
    said.lines().filter(|line| line.contains("sign-in")).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_asks_the_identity_provider() {
    let provider = FakeProvider::start().await;
    let well = section(&provider.url(), &format!("{ROLES}client_secret_file = \"oidc.secret\"\n"));
    let said = examined(&well);
    assert!(said.contains("answers, with 1 key"), "{said}");
    let said = examined(&format!("{well}local_people = []\n"));
    assert!(said.contains("while Corp Login is down no admin can sign in"), "{said}");
    let said = examined(&format!("{well}local_people = [\"admin\", \"alice\"]\n"));
    assert!(said.contains("admin, alice may sign in with a password of this server"), "{said}");
    let said = examined(&format!("{well}local_people = [\"alice\"]\n"));
    assert!(said.contains("while Corp Login is down no admin can sign in"), "{said}");
    provider.says_claims(&["sub"]);
    let said = examined(&well);
    assert!(said.contains("does not say when people signed in"), "{said}");
    let said = examined(&well.replace("127.0.0.1", "localhost"));
    assert!(said.contains("issuer"), "its tokens name another issuer: {said}");
    provider.is_down(true);
    let said = examined(&well);
    assert!(said.contains("503"), "{said}");
    let said = examined(&section("http://login.example", ROLES));
    assert!(said.contains("http:// is for this machine only"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn set_up_takes_name_that_may_sign_in() {
    let (program, provider) = (Program::new(), FakeProvider::start().await);
    program.done(&["init", "."]);
    program.write("manager.password", "manager-pw");
    let local = format!("{ROLES}local_people = [\"break-glass\"]\n");
    let text = format!(
        "{}[oidc]\n{}",
        program.configuration("http://127.0.0.1:9"),
        section(&provider.url(), &local)
    );
    program.write("countersign.toml", &text);
    let serving = program.serve();
    let code = serving.said["code"].as_str().unwrap();
    let stranger = PersonClient::stranger(&serving.url);
    let first = |code: &str, name: &str| {
        let fields = [("code", code), ("name", name), ("new", PASSWORD)];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
    };
    let guessed = stranger.post("/set-up", &first("0000-0000", "alice")).await;
    assert!(!guessed.html.contains("break-glass"), "strangers learn no names: {}", guessed.html);
    let refused = stranger.post("/set-up", &first(code, "alice")).await;
    assert_eq!(refused.status, 400);
    assert!(refused.html.contains("oidc.local_people does not name it"), "{}", refused.html);
    let set_up = stranger.post("/set-up", &first(code, "break-glass")).await;
    assert_eq!(set_up.status, 303, "{}", set_up.html);
}
