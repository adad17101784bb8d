//! All stacks behind real Envoys with Istio's rules: plain TCP and accelerated are the same.

use anyhow::Result;
use meshaccel_e2e::both_promotions;
use meshaccel_e2e::manifest::Promotion;
use meshaccel_e2e::stacks;
use meshaccel_e2e::stacks::place::compare_behind_envoys;

both_promotions!(servers_of_http, databases_and_the_like, clients);

fn servers_of_http(promotion: Promotion) -> Result<()> {
    compare_behind_envoys(
        &[
            &stacks::nginx::NGINX,
            &stacks::haproxy::HAPROXY,
            &stacks::apache::APACHE,
            &stacks::node::NODE,
            &stacks::golang::GO,
            &stacks::python::SYNC,
            &stacks::python::GTHREAD,
            &stacks::python::GEVENT,
            &stacks::python::UVICORN,
            &stacks::java::TOMCAT,
            &stacks::java::NETTY_NIO,
            &stacks::java::NETTY_EPOLL,
            &stacks::php::PHP,
            &stacks::ruby::PUMA,
            &stacks::rust::TOKIO,
        ],
        promotion,
    )
}

fn databases_and_the_like(promotion: Promotion) -> Result<()> {
    let stacks = [
        &stacks::postgres::POSTGRES,
        &stacks::mariadb::MARIADB,
        &stacks::redis::REDIS,
        &stacks::memcached::MEMCACHED,
        &stacks::rabbitmq::RABBITMQ,
        &stacks::grpc::GRPC,
        &stacks::node::WEBSOCKETS,
    ];
    compare_behind_envoys(&stacks, promotion)
}

fn clients(promotion: Promotion) -> Result<()> {
    let stacks = [
        &stacks::python::REQUESTS,
        &stacks::python::AIOHTTP,
        &stacks::node::CLIENT,
        &stacks::java::HTTP_CLIENT,
        &stacks::java::JDBC,
    ];
    compare_behind_envoys(&stacks, promotion)
}
