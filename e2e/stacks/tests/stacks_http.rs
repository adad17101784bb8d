//! Further servers of HTTP: plain TCP and accelerated are the same.

use anyhow::Result;
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_stacks::comparison::compare;

both_promotions!(
    apache,
    haproxy_splicing,
    node_http,
    gunicorn_sync,
    gunicorn_gevent,
    uvicorn,
    tomcat,
    netty_nio,
    netty_epoll,
    php_fpm,
    puma,
);

fn apache(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::apache::APACHE, promotion)
}

fn haproxy_splicing(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::haproxy::SPLICING, promotion)
}

fn node_http(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::node::NODE, promotion)
}

fn gunicorn_sync(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::python::SYNC, promotion)
}

fn gunicorn_gevent(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::python::GEVENT, promotion)
}

fn uvicorn(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::python::UVICORN, promotion)
}

fn tomcat(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::java::TOMCAT, promotion)
}

fn netty_nio(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::java::NETTY_NIO, promotion)
}

fn netty_epoll(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::java::NETTY_EPOLL, promotion)
}

fn php_fpm(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::php::PHP, promotion)
}

fn puma(promotion: Promotion) -> Result<()> {
    compare(&meshaccel_e2e_stacks::ruby::PUMA, promotion)
}
