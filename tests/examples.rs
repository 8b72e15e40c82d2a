//! The examples do what they say.

#[path = "../examples/custom_controller.rs"]
mod custom_controller;

#[test]
fn a_controller_of_ones_own_beats_cubic_where_the_formulas_say_so() {
    // It asserts itself what it prints.
    custom_controller::main();
}

#[path = "../examples/phase_map.rs"]
mod phase_map;

/// Overload persists after its cause has gone exactly where load x (1 + retries) is more than the server can do; what lies within a
/// tenth of that is left to chance.
#[test]
fn overload_outlives_its_cause_where_retries_are_enough_to_keep_it_alive() {
    for (load, retries) in [(70, 0), (40, 1), (70, 1), (25, 2), (45, 2), (20, 3), (35, 3), (80, 3)] {
        let offered = load * (1 + retries);
        let served = phase_map::served_in_the_end(load, retries);
        if offered > 110 {
            assert!(served < 0.5, "{load} % with {retries} retries: {served} served");
        } else {
            assert!(served > 0.9, "{load} % with {retries} retries: {served} served");
        }
    }
}
