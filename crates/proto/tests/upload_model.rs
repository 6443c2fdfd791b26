//! Resumable uploads against a model: any interleaving of connections, cuts, restarts and rests.

#[path = "upload_model/model.rs"]
mod model;

use model::{Model, Step, WRITERS};
use proptest::prelude::*;

fn step() -> impl Strategy<Value = Step> {
    let writer = 0..WRITERS;
    prop_oneof![
        3 => writer.clone().prop_map(|writer| Step::TakeOver { writer }),
        6 => (writer.clone(), any::<u64>()).prop_map(|(writer, len)| Step::Append { writer, len }),
        3 => (writer.clone(), any::<u64>(), any::<u64>())
            .prop_map(|(writer, back, len)| Step::Chunk { writer, back, len }),
        4 => writer.clone().prop_map(|writer| Step::Commit { writer }),
        1 => (writer.clone(), any::<u64>()).prop_map(|(writer, length)| Step::Announce { writer, length }),
        1 => writer.clone().prop_map(|writer| Step::Finish { writer }),
        1 => writer.prop_map(|writer| Step::Cut { writer }),
        1 => any::<u64>().prop_map(|kept| Step::Restart { kept }),
        1 => any::<i64>().prop_map(|ms| Step::Rest { ms }),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_promises_are_kept_and_who_comes_back_ends_it(
        length in any::<Option<u64>>(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut model = Model::new(length);
        for step in steps {
            model.step(step);
        }
        model.resume_to_the_end();
    }
}
