//! The network tests of Go's standard library: the same cases pass, fail and are skipped inside as outside.

use anyhow::Result;
use meshaccel_e2e::both_promotions;
use meshaccel_e2e::manifest::Promotion;
use meshaccel_e2e::upstream::golang::Go;
use meshaccel_e2e::upstream::stage::compare;

both_promotions!(go);

fn go(promotion: Promotion) -> Result<()> {
    compare("Go", &Go::find()?, promotion)
}
