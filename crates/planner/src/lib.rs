//! What should happen next. Pure: no clock, no I/O; time is a field of the view.
