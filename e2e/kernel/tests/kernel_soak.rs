//! Everything at once, every byte checked, and nothing left in the kernel (`make soak`: for half an hour each).

use anyhow::Result;
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_kernel::soak;

both_promotions!(connections_come_and_go_while_everything_is_changed);

fn connections_come_and_go_while_everything_is_changed(promotion: Promotion) -> Result<()> {
    soak::run(promotion, soak::duration()?)
}
