-- Failed sign-ins are counted in memory: a stranger's try writes nothing by itself.

DROP TABLE sign_in_failure;
