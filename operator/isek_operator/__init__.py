"""The operator that turns Isek's custom resources into running agents."""
