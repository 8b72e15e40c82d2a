//! The examples do what they say.

#[path = "../examples/custom_controller.rs"]
mod custom_controller;

#[test]
fn a_controller_of_ones_own_beats_cubic_where_the_formulas_say_so() {
    // It asserts itself what it prints.
    custom_controller::main();
}
