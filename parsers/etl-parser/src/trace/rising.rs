//! Which of a stream's first time stamps to believe.

/// Which of `values` belong to the longest part, not necessarily connected, that never falls; of equally long ones, one.
pub(super) fn longest_rising(values: &[Option<i64>]) -> Vec<bool> {
    if values.iter().flatten().is_sorted() {
        // Nearly always, and it takes no memory.
        return values.iter().map(Option::is_some).collect();
    }
    // For each length, the smallest last value of a rising part of that length, and where it stands.
    let mut lasts: Vec<(i64, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; values.len()];
    for (rank, value) in values.iter().enumerate() {
        let Some(value) = *value else { continue };
        let length = lasts.partition_point(|(last, _)| *last <= value);
        if let (Some(before), Some(shorter)) = (before.get_mut(rank), length.checked_sub(1)) {
            *before = lasts.get(shorter).map(|(_, at)| *at);
        }
        match lasts.get_mut(length) {
            Some(last) => *last = (value, rank),
            None => lasts.push((value, rank)),
        }
    }
    let mut believed = vec![false; values.len()];
    let mut at = lasts.last().map(|(_, at)| *at);
    while let Some(rank) = at {
        if let Some(believed) = believed.get_mut(rank) {
            *believed = true;
        }
        at = before.get(rank).copied().flatten();
    }
    believed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rising(values: &[i64]) -> Vec<i64> {
        let options: Vec<Option<i64>> = values.iter().map(|value| (*value != -1).then_some(*value)).collect();
        values.iter().zip(longest_rising(&options)).filter(|(_, believed)| *believed).map(|(value, _)| *value).collect()
    }

    #[test]
    fn one_wrong_time_is_the_one_that_is_not_believed() {
        assert_eq!(rising(&[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(rising(&[1, 99, 3, 4]), [1, 3, 4]);
        assert_eq!(rising(&[10, 20, 1, 40]), [10, 20, 40]);
        assert_eq!(rising(&[5, 5, 5]), [5, 5, 5]);
        assert_eq!(rising(&[-1, 7, -1, 8]), [7, 8]);
        assert_eq!(rising(&[]), [] as [i64; 0]);
    }
}
