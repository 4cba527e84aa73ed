//! The API's document, generated from its code and committed.

use anyhow::Context as _;

fn text() -> anyhow::Result<String> {
    Ok(bellwether_api::openapi().to_pretty_json()? + "\n")
}

pub(crate) fn write() -> anyhow::Result<()> {
    let path = crate::root().join("openapi").join("v1.json");
    std::fs::create_dir_all(path.parent().context("a parent")?)?;
    std::fs::write(&path, text()?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_document_is_that_of_the_code() {
        let path = crate::root().join("openapi").join("v1.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let generated = super::text().expect("generated");
        assert!(committed == generated, "run `make openapi` and commit openapi/v1.json");
    }
}
