//! The large run of `.ci/batch`: thousands of cases, some of them closed to the user that runs it.
