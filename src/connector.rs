//! Outside systems: the Wazuh manager and its indexer.
