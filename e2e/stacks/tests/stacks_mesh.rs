//! All stacks behind real Envoys with Istio's rules: plain TCP and accelerated are the same.

use anyhow::Result;
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_stacks::comparison::compare_behind_envoys;

both_promotions!(servers_of_http, databases_and_the_like, clients);

fn servers_of_http(promotion: Promotion) -> Result<()> {
    compare_behind_envoys(
        &[
            &meshaccel_e2e_stacks::nginx::NGINX,
            &meshaccel_e2e_stacks::haproxy::HAPROXY,
            &meshaccel_e2e_stacks::apache::APACHE,
            &meshaccel_e2e_stacks::node::NODE,
            &meshaccel_e2e_stacks::golang::GO,
            &meshaccel_e2e_stacks::python::SYNC,
            &meshaccel_e2e_stacks::python::GTHREAD,
            &meshaccel_e2e_stacks::python::GEVENT,
            &meshaccel_e2e_stacks::python::UVICORN,
            &meshaccel_e2e_stacks::java::TOMCAT,
            &meshaccel_e2e_stacks::java::NETTY_NIO,
            &meshaccel_e2e_stacks::java::NETTY_EPOLL,
            &meshaccel_e2e_stacks::php::PHP,
            &meshaccel_e2e_stacks::ruby::PUMA,
            &meshaccel_e2e_stacks::rust::TOKIO,
        ],
        promotion,
    )
}

fn databases_and_the_like(promotion: Promotion) -> Result<()> {
    let stacks = [
        &meshaccel_e2e_stacks::postgres::POSTGRES,
        &meshaccel_e2e_stacks::mariadb::MARIADB,
        &meshaccel_e2e_stacks::redis::REDIS,
        &meshaccel_e2e_stacks::memcached::MEMCACHED,
        &meshaccel_e2e_stacks::rabbitmq::RABBITMQ,
        &meshaccel_e2e_stacks::grpc::GRPC,
        &meshaccel_e2e_stacks::node::WEBSOCKETS,
    ];
    compare_behind_envoys(&stacks, promotion)
}

fn clients(promotion: Promotion) -> Result<()> {
    let stacks = [
        &meshaccel_e2e_stacks::python::REQUESTS,
        &meshaccel_e2e_stacks::python::AIOHTTP,
        &meshaccel_e2e_stacks::node::CLIENT,
        &meshaccel_e2e_stacks::java::HTTP_CLIENT,
        &meshaccel_e2e_stacks::java::JDBC,
    ];
    compare_behind_envoys(&stacks, promotion)
}
