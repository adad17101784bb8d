//! The shortest program that still does what the long one did.

use anyhow::Result;

/// Leaves out stretches of `program`, long ones first, as long as `fails` says that the rest still does.
pub fn shrink<T: Clone>(mut program: Vec<T>, mut fails: impl FnMut(&[T]) -> Result<bool>) -> Result<Vec<T>> {
    let mut stretch = program.len().div_ceil(2);
    while stretch > 0 {
        let mut at = 0;
        while at < program.len() {
            let mut shorter = program.clone();
            shorter.drain(at..(at + stretch).min(program.len()));
            if fails(&shorter)? {
                program = shorter;
            } else {
                at += stretch;
            }
        }
        stretch /= 2;
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_goes() {
        let fails = |numbers: &[i32]| Ok(numbers.contains(&7) && numbers.contains(&31));
        assert_eq!(shrink((0..40).collect(), fails).expect("it never fails"), [7, 31]);
    }

    #[test]
    fn what_matters_stays() {
        let fails = |numbers: &[i32]| Ok(numbers.iter().sum::<i32>() >= 45);
        let short = shrink((0..10).collect(), fails).expect("it never fails");
        assert_eq!(short.iter().sum::<i32>(), 45);
    }
}
