//! SVG to PNG, at twice the size for sharp text.

use anyhow::{Context, Result, ensure};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

const SCALE: f32 = 2.0;

/// Renders `svg`; fails when the machine has no font, rather than draw a picture without words.
pub fn render(svg: &str) -> Result<Vec<u8>> {
    let mut options = Options::default();
    options.fontdb_mut().load_system_fonts();
    ensure!(!options.fontdb.is_empty(), "this machine has no font: run scripts/setup.sh mesh");
    let tree = Tree::from_str(svg, &options).context("cannot read the picture back")?;
    let size = tree.size().to_int_size().scale_by(SCALE).context("the picture has no size")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).context("the picture has no size")?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().context("cannot write PNG")
}
