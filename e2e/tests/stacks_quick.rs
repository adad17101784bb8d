//! The stacks that `make test` runs: plain TCP and accelerated are the same. All others: stacks_http.rs and its neighbours.

use anyhow::Result;
use meshaccel_e2e::both_promotions;
use meshaccel_e2e::manifest::Promotion;
use meshaccel_e2e::stacks;
use meshaccel_e2e::stacks::place::compare;

both_promotions!(nginx, haproxy, go, gunicorn_gthread, postgresql, redis, tokio);

fn nginx(promotion: Promotion) -> Result<()> {
    compare(&stacks::nginx::NGINX, promotion)
}

fn haproxy(promotion: Promotion) -> Result<()> {
    compare(&stacks::haproxy::HAPROXY, promotion)
}

fn go(promotion: Promotion) -> Result<()> {
    compare(&stacks::golang::GO, promotion)
}

fn gunicorn_gthread(promotion: Promotion) -> Result<()> {
    compare(&stacks::python::GTHREAD, promotion)
}

fn postgresql(promotion: Promotion) -> Result<()> {
    compare(&stacks::postgres::POSTGRES, promotion)
}

fn redis(promotion: Promotion) -> Result<()> {
    compare(&stacks::redis::REDIS, promotion)
}

fn tokio(promotion: Promotion) -> Result<()> {
    compare(&stacks::rust::TOKIO, promotion)
}
