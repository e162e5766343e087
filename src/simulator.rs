//! A simulated Wazuh manager.
