//! Clients that are programs, and what does not speak HTTP: plain TCP and accelerated are the same.

use anyhow::Result;
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_stacks::comparison::compare;

both_promotions!(
    requests,
    aiohttp,
    node_client,
    java_http_client,
    jdbc,
    mariadb,
    memcached,
    rabbitmq,
    grpc_streams,
    websockets,
);

fn requests(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::python::REQUESTS, promotion)
}

fn aiohttp(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::python::AIOHTTP, promotion)
}

fn node_client(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::node::CLIENT, promotion)
}

fn java_http_client(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::java::HTTP_CLIENT, promotion)
}

fn jdbc(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::java::JDBC, promotion)
}

fn mariadb(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::mariadb::MARIADB, promotion)
}

fn memcached(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::memcached::MEMCACHED, promotion)
}

fn rabbitmq(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::rabbitmq::RABBITMQ, promotion)
}

fn grpc_streams(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::grpc::GRPC, promotion)
}

fn websockets(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::node::WEBSOCKETS, promotion)
}
