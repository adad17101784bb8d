//! Real servers and clients, as people run them, on plain TCP and accelerated: the same bytes, and nobody waits longer.
//!
//! * [`operation`] what is asked and answered: pieces of one file of random-looking bytes, and hashes
//! * [`wire`] a socket with a deadline that knows how long it was silent; [`session`] a protocol on it
//! * [`http`], [`resp`], [`pgwire`] the protocols that the harness speaks itself
//! * [`agent`] clients that are programs of their own
//! * [`site`] where a server runs; [`stack`] what a server and its clients are
//! * [`cases`] the ways in which connections are used; [`finding`] what came out, and whether two runs agree
//! * [`share`] how much of it was redirected, and why not
//! * [`comparison`] plain and accelerated, in one namespace and behind real Envoys; [`table`] docs/stacks.md
//! * one file a family: [`nginx`], [`haproxy`], [`apache`], [`node`], [`golang`], [`python`], [`java`], [`php`], [`ruby`],
//!   [`rust`], [`postgres`], [`mariadb`], [`redis`], [`memcached`], [`rabbitmq`], [`grpc`]

pub mod agent;
pub mod apache;
pub mod cases;
pub mod comparison;
pub mod finding;
pub mod golang;
pub mod grpc;
pub mod haproxy;
pub mod http;
pub mod java;
pub mod mariadb;
pub mod memcached;
pub mod nginx;
pub mod node;
pub mod operation;
pub mod pgwire;
pub mod php;
pub mod postgres;
pub mod python;
pub mod rabbitmq;
pub mod redis;
pub mod resp;
pub mod ruby;
pub mod rust;
pub mod session;
pub mod share;
pub mod site;
pub mod stack;
pub mod table;
pub mod wire;
