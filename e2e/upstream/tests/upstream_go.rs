//! The network tests of Go's standard library: the same cases pass, fail and are skipped inside as outside.

use anyhow::Result;
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_upstream::comparison::compare;
use meshaccel_e2e_upstream::golang::Go;

both_promotions!(go);

fn go(promotion: Promotion) -> Result<()> {
    compare("Go", &Go::find()?, promotion)
}
