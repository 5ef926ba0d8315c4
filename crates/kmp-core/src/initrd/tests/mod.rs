//! Initrds and configurations as the real programs write and read them.

mod archive;
mod damage;
mod dracut_conf;
mod stripped;
