//! No order of the threads' steps loses a wake-up, an item or a permit.

use interleavings::{
    cancelled, drawn_orders, every_order, exclusive, granted_and_gone, handed_over, rung, rung_by_two,
};

#[test]
fn no_ring_is_lost_between_a_look_and_the_sleep() {
    let more_than_there_are = 3_000_000;
    assert!(every_order(more_than_there_are, rung) < more_than_there_are);
}

/// Scenes of more steps, whose orders are too many to try all.
const DRAWN: usize = 100_000;

#[test]
fn no_ring_of_two_is_lost() {
    drawn_orders(DRAWN, rung_by_two);
}

#[test]
fn every_item_arrives_in_order_and_then_the_end() {
    drawn_orders(DRAWN, handed_over);
}

#[test]
fn a_worker_whose_reader_goes_away_ends() {
    drawn_orders(DRAWN, cancelled);
}

#[test]
fn one_runs_at_a_time_and_all_get_their_turn() {
    drawn_orders(DRAWN, exclusive);
}

#[test]
fn a_permit_given_to_one_that_leaves_is_handed_on() {
    drawn_orders(DRAWN, granted_and_gone);
}
