//! As much of PostgreSQL's protocol (3.0, simple queries) as comparing needs: an answer is one row of one column.

use std::io::{BufReader, Read, Write};

use anyhow::{Context, Result, bail, ensure};

use super::operation::{Operation, Verb, base, check, hex};
use super::session::{Session, Target};
use super::wire::Wire;

pub struct Postgres {
    wire: BufReader<Wire>,
}

impl Postgres {
    pub fn connect(target: Target<'_>) -> Result<Self> {
        let mut postgres = Self { wire: target.connect()? };
        let parameters = b"user\0app\0database\0postgres\0\0";
        let mut message = (parameters.len() as u32 + 8).to_be_bytes().to_vec();
        message.extend(196_608u32.to_be_bytes());
        message.extend(parameters);
        postgres.wire.get_mut().write_all(&message)?;
        postgres.answer().context("cannot log in")?;
        Ok(postgres)
    }

    /// Makes the table that holds the base.
    pub fn fill(&mut self) -> Result<()> {
        self.query(&format!("create table base as select '\\x{}'::bytea as b", hex(base())))?;
        self.answer()?;
        // Stored as it is: a piece can be read without unpacking all of it.
        Ok(())
    }

    fn query(&mut self, text: &str) -> Result<()> {
        let mut message = vec![b'Q'];
        message.extend((text.len() as u32 + 5).to_be_bytes());
        message.extend(text.as_bytes());
        message.push(0);
        self.wire.get_mut().write_all(&message).context("cannot send the query")
    }

    /// Everything up to ReadyForQuery: the last row's column.
    fn answer(&mut self) -> Result<Vec<u8>> {
        let mut value = Vec::new();
        loop {
            let mut head = [0; 5];
            self.wire.read_exact(&mut head).context("no answer")?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; length.checked_sub(4).context("a message without a length")?];
            self.wire
                .read_exact(&mut body)
                .with_context(|| format!("a message of {length} bytes does not come whole"))?;
            match head[0] {
                b'D' => {
                    ensure!(body.len() >= 6, "a row of {} bytes", body.len());
                    value = body.split_off(6);
                }
                b'E' => bail!("the server says {:?}", String::from_utf8_lossy(&body).replace('\0', " ")),
                b'Z' => return Ok(value),
                _ => {}
            }
        }
    }
}

impl Session for Postgres {
    fn begin(&mut self, operation: &Operation) -> Result<()> {
        let &Operation { size, seed, .. } = operation;
        match operation.verb {
            Verb::Get | Verb::Abort => self.query(&format!("select substr(b, {}, {size}) from base", seed + 1)),
            Verb::Post => self.query(&format!("select encode(sha256('\\x{}'::bytea), 'hex')", hex(operation.piece()))),
        }
    }

    fn finish(&mut self, operation: &Operation) -> Result<()> {
        let value = self.answer()?;
        match operation.verb {
            Verb::Post => check(operation, &value, operation.hash().as_bytes()),
            Verb::Get | Verb::Abort => {
                check(operation, &value, [b"\\x", hex(operation.piece()).as_bytes()].concat().as_slice())
            }
        }
    }

    fn wire(&mut self) -> &mut BufReader<Wire> {
        &mut self.wire
    }

    fn into_wire(self: Box<Self>) -> BufReader<Wire> {
        self.wire
    }
}
