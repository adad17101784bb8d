//! Nobody can tell a redirected connection from TCP: every behaviour leaves the same trace on both.

use anyhow::Result;
use meshaccel_e2e_conformance::{compare, topics};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::manifest::Promotion;

both_promotions!(every_behaviour_is_that_of_tcp);

fn every_behaviour_is_that_of_tcp(promotion: Promotion) -> Result<()> {
    compare::check(promotion, &topics::all())
}
