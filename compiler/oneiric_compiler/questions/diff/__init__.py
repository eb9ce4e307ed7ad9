"""What changed between two explain reports, by meaning: compared (`compare`), then told (`tell`)."""
