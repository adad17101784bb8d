//! Random programs of socket calls see the same on a redirected connection as on plain TCP. A failure prints the seed
//! and the shortest program that differs; `MESHACCEL_SEED` and `MESHACCEL_PROGRAMS` play it again;
//! `MESHACCEL_AVOID=SpliceOut,OOB` leaves out steps that are printed with such a word.

use meshaccel_e2e_conformance::differential::check;
use meshaccel_e2e_harness::both_promotions;

fn random_programs_see_plain_tcp(promotion: meshaccel_e2e_harness::manifest::Promotion) -> anyhow::Result<()> {
    check(promotion)
}

both_promotions!(random_programs_see_plain_tcp);
