//! The set that ships: every file under `policies/`, built into the program.

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../policies/", $path)))),*]
    };
}

/// Path under the policy folder, and text, of every file of the set to start from.
pub const STARTER: &[(&str, &str)] = shipped![
    "schema.cedarschema",
    "10_ask.cedar",
    "20_run.cedar",
    "30_never.cedar",
    "40_people.cedar",
    "50_agents.cedar",
    "tests/ask.json",
    "tests/run.json",
    "tests/never.json",
    "tests/people.json",
];

/// Writes the policies that ship, with their test cases, into a folder.
pub fn write_starter_policies(folder: &std::path::Path) -> std::io::Result<()> {
    for (name, text) in STARTER {
        let file = folder.join(name);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(file, text)?;
    }
    Ok(())
}
