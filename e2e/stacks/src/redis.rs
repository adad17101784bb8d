//! Redis 7: one thread, non-blocking descriptors, level-triggered epoll.

use anyhow::{Context, Result};
use meshaccel_e2e_mesh::process::User;

use super::resp::Resp;
use super::session::Target;
use super::site::{Running, Site, program};
use super::stack::{Asks, HalfClose, Stack};

pub const REDIS: Stack = Stack {
    name: "Redis",
    server,
    asks: Asks::Own(|target| Ok(Box::new(Resp::connect(target)?))),
    agents: &[],
    crowd: true,
    half_close: HalfClose::Steady,
};

fn server(site: &Site<'_>) -> Result<Running> {
    let (port, bind, folder) = (site.free_port()?, site.address().to_string(), site.folder("redis", User::APP)?);
    let (text, folder) = (port.to_string(), folder.display().to_string());
    let arguments = [
        "--port",
        &text,
        "--bind",
        &bind,
        "--save",
        "",
        "--appendonly",
        "no",
        "--protected-mode",
        "no",
        "--dir",
        &folder,
    ];
    let process = site.start(User::APP, "redis-server", &program("redis-server")?, &arguments)?;
    let running = site.ready(port, vec![process])?;
    let mut session = Resp::connect(Target { netns: site.netns(), address: (site.address(), port).into() })?;
    session.fill().context("cannot store the base")?;
    Ok(running)
}
