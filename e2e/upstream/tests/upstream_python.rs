//! CPython's own network tests: the same cases pass, fail and are skipped inside an accelerated namespace as outside.

use anyhow::Result;
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_upstream::comparison::compare;
use meshaccel_e2e_upstream::python::Python;

both_promotions!(python);

fn python(promotion: Promotion) -> Result<()> {
    compare("CPython", &Python::find()?, promotion)
}
