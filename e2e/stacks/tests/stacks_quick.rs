//! The stacks that `make test` runs: plain TCP and accelerated are the same. All others: stacks_http.rs and its neighbours.

use anyhow::Result;
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_stacks::comparison::compare;

both_promotions!(nginx, haproxy, go, gunicorn_gthread, postgresql, redis, tokio);

fn nginx(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::nginx::NGINX, promotion)
}

fn haproxy(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::haproxy::HAPROXY, promotion)
}

fn go(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::golang::GO, promotion)
}

fn gunicorn_gthread(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::python::GTHREAD, promotion)
}

fn postgresql(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::postgres::POSTGRES, promotion)
}

fn redis(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::redis::REDIS, promotion)
}

fn tokio(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::rust::TOKIO, promotion)
}
