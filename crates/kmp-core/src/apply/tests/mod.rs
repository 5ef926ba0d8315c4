//! The writers, in throwaway roots.

mod switch;
