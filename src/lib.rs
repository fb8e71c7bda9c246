//! mod_qos
