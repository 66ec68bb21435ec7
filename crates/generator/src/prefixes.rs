//! Caches of sequences that have run, kept for requests that begin with the same tokens.
//!
//! A radix tree: an edge is a run of tokens, a leaf holds the cache of all tokens on the way to it. Invariants: only
//! leaves hold caches, since one that another continues is dropped for it; every node but an empty root has a leaf
//! below, so that what a request shares with the tree can be forked from some leaf. Together the caches hold at most a
//! budget of bytes, blocks that they share counted once; the least recently used leave first.
//!
//! Source: Zheng and others, *SGLang: Efficient Execution of Structured Language Model Programs*, 2024.

use models::KvCache;

/// Caches that are kept at the most, whatever their bytes: some models keep theirs elsewhere.
const MOST: usize = 256;

/// The tree.
#[derive(Debug)]
pub(crate) struct Prefixes {
    root: Node,
    leaves: usize,
    /// Bytes.
    budget: usize,
    /// Counts uses.
    now: u64,
}

#[derive(Debug)]
struct Node {
    /// The tokens from its parent to it; empty only at the root.
    edge: Vec<u32>,
    below: Below,
}

#[derive(Debug)]
enum Below {
    Leaf {
        cache: KvCache,
        used: u64,
    },
    /// Children whose edges begin with different tokens.
    Branch(Vec<Node>),
}

impl Prefixes {
    /// An empty tree for caches of at most `budget` bytes.
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            root: Node {
                edge: Vec::new(),
                below: Below::Branch(Vec::new()),
            },
            leaves: 0,
            budget,
            now: 0,
        }
    }

    /// Whether no cache is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.leaves == 0
    }

    /// The longest prefix of `tokens` that is held: a cache that begins with it, and its length; `None` where not even
    /// the first token is. Counts as a use.
    pub(crate) fn longest(&mut self, tokens: &[u32]) -> Option<(&KvCache, usize)> {
        self.now += 1;
        let now = self.now;
        let (mut node, mut common) = (&mut self.root, 0);
        while let Some(index) = node.child(&tokens[common..]) {
            node = node.children_mut().get_mut(index)?;
            let shared = shared(&node.edge, &tokens[common..]);
            common += shared;
            if shared < node.edge.len() {
                break;
            }
        }
        if common == 0 {
            return None;
        }
        let (cache, used) = node.latest()?;
        *used = now;
        Some((cache, common))
    }

    /// Whether all of `tokens` are held; counts as a use.
    pub(crate) fn holds(&mut self, tokens: &[u32]) -> bool {
        self.longest(tokens)
            .is_some_and(|(_, common)| common == tokens.len())
    }

    /// Keeps a cache of these tokens, one of each of its positions; of one that exceeds the budget alone, the beginning.
    pub(crate) fn insert(&mut self, tokens: &[u32], mut cache: KvCache) {
        if tokens.len() != cache.len() {
            return;
        }
        while cache.bytes() > self.budget {
            cache.truncate(cache.len() / 8 * 7);
        }
        let tokens = &tokens[..cache.len()];
        if tokens.is_empty() || self.holds(tokens) {
            return;
        }
        self.now += 1;
        self.leaves += usize::from(self.root.insert(tokens, cache, self.now));
        while self.leaves > MOST || self.exceeds() {
            self.evict();
        }
    }

    /// Whether all caches, blocks that they share counted once, take more than the budget.
    fn exceeds(&self) -> bool {
        let mut caches = Vec::with_capacity(self.leaves);
        self.root.caches(&mut caches);
        let at_most: usize = caches.iter().map(|cache| cache.bytes()).sum();
        at_most > self.budget && KvCache::bytes_together(caches) > self.budget
    }

    /// Drops the least recently used cache.
    fn evict(&mut self) {
        if let Some(oldest) = self.root.oldest()
            && self.root.remove(oldest)
        {
            self.leaves -= 1;
        }
    }
}

impl Node {
    fn leaf(edge: &[u32], cache: KvCache, used: u64) -> Self {
        Self {
            edge: edge.to_vec(),
            below: Below::Leaf { cache, used },
        }
    }

    fn children_mut(&mut self) -> &mut [Node] {
        match &mut self.below {
            Below::Leaf { .. } => &mut [],
            Below::Branch(children) => children,
        }
    }

    /// The child whose edge begins as `tokens` do.
    fn child(&self, tokens: &[u32]) -> Option<usize> {
        let Below::Branch(children) = &self.below else {
            return None;
        };
        let first = tokens.first()?;
        children
            .iter()
            .position(|child| child.edge.first() == Some(first))
    }

    /// The leaf at or below this node that was used last, with the time: not one that nobody has asked for since, which
    /// would stay for ever because others begin like it.
    fn latest(&mut self) -> Option<(&KvCache, &mut u64)> {
        match &mut self.below {
            Below::Leaf { cache, used } => Some((cache, used)),
            Below::Branch(children) => {
                let leaves = children.iter_mut().filter_map(Self::latest);
                leaves.max_by_key(|(_, used)| **used)
            }
        }
    }

    /// Inserts tokens that are not all held, behind those of this node's own edge; whether there is a leaf more.
    fn insert(&mut self, tokens: &[u32], cache: KvCache, now: u64) -> bool {
        let Some(index) = self.child(tokens) else {
            return match &mut self.below {
                Below::Branch(children) => {
                    children.push(Self::leaf(tokens, cache, now));
                    true
                }
                Below::Leaf { .. } => {
                    self.edge.extend_from_slice(tokens);
                    self.below = Below::Leaf { cache, used: now };
                    false
                }
            };
        };
        let Some(child) = self.children_mut().get_mut(index) else {
            return false;
        };
        let shared = shared(&child.edge, tokens);
        if shared == child.edge.len() {
            return child.insert(&tokens[shared..], cache, now);
        }
        let tail = child.edge.split_off(shared);
        let below = std::mem::replace(&mut child.below, Below::Branch(Vec::new()));
        child.below = Below::Branch(vec![
            Self { edge: tail, below },
            Self::leaf(&tokens[shared..], cache, now),
        ]);
        true
    }

    fn caches<'n>(&'n self, into: &mut Vec<&'n KvCache>) {
        match &self.below {
            Below::Leaf { cache, .. } => into.push(cache),
            Below::Branch(children) => children.iter().for_each(|child| child.caches(into)),
        }
    }

    /// When the leaf that was not used for the longest time was used last; no two leaves were at the same time.
    fn oldest(&self) -> Option<u64> {
        match &self.below {
            Below::Leaf { used, .. } => Some(*used),
            Below::Branch(children) => children.iter().filter_map(Self::oldest).min(),
        }
    }

    /// Removes the leaf below that was used at this time, and a branch that is none any more.
    fn remove(&mut self, time: u64) -> bool {
        let Below::Branch(children) = &mut self.below else {
            return false;
        };
        let is_it = |node: &Node| matches!(node.below, Below::Leaf { used, .. } if used == time);
        if let Some(index) = children.iter().position(is_it) {
            children.remove(index);
            return true;
        }
        for child in children {
            if child.remove(time) {
                child.straighten();
                return true;
            }
        }
        false
    }

    /// Becomes its only child, where it has just one.
    fn straighten(&mut self) {
        if let Below::Branch(children) = &mut self.below
            && children.len() == 1
            && let Some(child) = children.pop()
        {
            self.edge.extend(child.edge);
            self.below = child.below;
        }
    }
}

/// How many tokens two runs begin with in common.
fn shared(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use models::synth::{self, Shape};
    use models::{Device, GgufFile, Logits, ModelFactory, Rows, SequenceStep};
    use proptest::prelude::*;

    use super::*;

    fn cache(len: usize) -> KvCache {
        let mut cache = KvCache::counting();
        cache.advance(len);
        cache
    }

    fn tree(sequences: &[&[u32]]) -> Prefixes {
        let mut prefixes = Prefixes::new(usize::MAX);
        for tokens in sequences {
            prefixes.insert(tokens, cache(tokens.len()));
        }
        prefixes
    }

    fn found(prefixes: &mut Prefixes, tokens: &[u32]) -> Option<(usize, usize)> {
        prefixes
            .longest(tokens)
            .map(|(cache, common)| (cache.len(), common))
    }

    #[test]
    fn the_longest_common_prefix_is_found_in_the_middle_of_edges() {
        let mut prefixes = tree(&[&[1, 2, 3, 4], &[1, 2, 7, 8, 9], &[5]]);
        assert_eq!(found(&mut prefixes, &[1, 2, 7, 8, 0]), Some((5, 4)));
        assert_eq!(found(&mut prefixes, &[1, 2, 3]), Some((4, 3)));
        assert_eq!(found(&mut prefixes, &[1, 9]).map(|(_, common)| common), Some(1));
        assert_eq!(found(&mut prefixes, &[5, 5, 5]), Some((1, 1)));
        assert_eq!(found(&mut prefixes, &[2]), None);
        assert_eq!(found(&mut prefixes, &[]), None);
    }

    #[test]
    fn a_cache_that_another_continues_is_dropped() {
        let mut prefixes = tree(&[&[1, 2], &[1, 2, 3], &[1, 2, 3], &[1], &[1, 2, 4]]);
        assert_eq!(prefixes.leaves, 2);
        assert_eq!(found(&mut prefixes, &[1, 2, 3, 4]), Some((3, 3)));
    }

    #[test]
    fn the_least_recently_used_leave_first() {
        let mut prefixes = tree(&[]);
        for token in 0..MOST as u32 {
            prefixes.insert(&[7, token], cache(2));
        }
        assert_eq!(found(&mut prefixes, &[7, 0]), Some((2, 2)));
        prefixes.insert(&[8], cache(1));
        assert_eq!(prefixes.leaves, MOST);
        assert_eq!(found(&mut prefixes, &[7, 0]), Some((2, 2)), "just used");
        assert_eq!(
            found(&mut prefixes, &[7, 1]).map(|(_, common)| common),
            Some(1),
            "the oldest"
        );
    }

    /// Caches that take memory: of a model of true architecture on tiny weights, some for each of these sequences.
    fn filled(sequences: &[Vec<u32>]) -> Vec<KvCache> {
        let path = std::env::temp_dir().join(format!("generator-prefixes-{}.gguf", std::process::id()));
        synth::write(Shape::TinyQwen3, 11, &path).unwrap();
        let file = GgufFile::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut model = ModelFactory::from_gguf(&file, &Device::Cpu, &mut |_| ()).unwrap();
        let mut run = |tokens: &Vec<u32>| {
            let mut cache = model.new_cache();
            let mut batch = [SequenceStep {
                tokens,
                cache: &mut cache,
            }];
            model
                .forward(&mut batch, Rows::List(&[]), &mut Logits::new())
                .unwrap();
            cache
        };
        sequences.iter().map(&mut run).collect()
    }

    #[test]
    fn within_a_budget_of_bytes_the_least_recently_used_leave_first() {
        // All of one length, and none begins like another.
        let sequences: Vec<Vec<u32>> = (1..=4).map(|first| vec![first; 40]).collect();
        let caches = filled(&sequences);
        let each = caches[0].bytes();
        assert!(each > 0 && caches.iter().all(|cache| cache.bytes() == each));
        let mut prefixes = Prefixes::new(3 * each);
        let held = |prefixes: &mut Prefixes| {
            sequences
                .iter()
                .map(|tokens| prefixes.holds(tokens))
                .collect::<Vec<_>>()
        };
        for (tokens, cache) in sequences.iter().zip(&caches).take(3) {
            prefixes.insert(tokens, cache.fork(cache.len()).unwrap());
        }
        assert_eq!(held(&mut prefixes), [true, true, true, false]);
        // The first is used once more, so that the second is the oldest.
        assert!(prefixes.holds(&sequences[0]));
        prefixes.insert(&sequences[3], caches[3].fork(40).unwrap());
        assert_eq!(held(&mut prefixes), [true, false, true, true]);

        // One that is larger than the budget is kept in part.
        let mut longer = sequences[0].clone();
        longer.extend([9; 200]);
        let mut prefixes = Prefixes::new(each);
        prefixes.insert(&longer, filled(&[longer.clone()]).remove(0));
        let (_, kept) = found(&mut prefixes, &longer).unwrap();
        assert!(kept > 0 && kept < longer.len(), "{kept}");
        assert!(!prefixes.exceeds());
    }

    #[test]
    fn what_others_only_begin_like_is_not_kept_for_their_sake() {
        let mut prefixes = tree(&[&[1, 5, 5], &[1, 6, 6]]);
        for token in 10..10 + MOST as u32 - 1 {
            prefixes.insert(&[1, token], cache(2));
        }
        assert_eq!(
            found(&mut prefixes, &[1, 5, 5]).map(|(_, common)| common),
            Some(1)
        );
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_list_of_all_sequences_has(
            sequences in prop::collection::vec(prop::collection::vec(0u32..3, 1..8), 0..20),
            asked in prop::collection::vec(prop::collection::vec(0u32..3, 0..8), 1..10),
            evicted in 0usize..5,
        ) {
            let mut prefixes = tree(&sequences.iter().map(Vec::as_slice).collect::<Vec<_>>());
            for tokens in &asked {
                let longest = sequences.iter().map(|held| shared(held, tokens)).max().unwrap_or(0);
                let found = found(&mut prefixes, tokens);
                prop_assert_eq!(found.map_or(0, |(_, common)| common), longest);
                prop_assert!(found.is_none_or(|(len, common)| len >= common));
            }
            for _ in 0..evicted {
                let before = prefixes.leaves;
                prefixes.evict();
                prop_assert_eq!(prefixes.leaves, before.saturating_sub(1));
            }
            let mut caches = Vec::new();
            prefixes.root.caches(&mut caches);
            prop_assert_eq!(caches.len(), prefixes.leaves);
        }
    }
}
