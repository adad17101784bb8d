//! CPython's own network tests: the same cases pass, fail and are skipped inside an accelerated namespace as outside.

use anyhow::Result;
use meshaccel_e2e::both_promotions;
use meshaccel_e2e::manifest::Promotion;
use meshaccel_e2e::upstream::python::Python;
use meshaccel_e2e::upstream::stage::compare;

both_promotions!(python);

fn python(promotion: Promotion) -> Result<()> {
    compare("CPython", &Python::find()?, promotion)
}
