//! Cedar: the only place where something is allowed or not.
