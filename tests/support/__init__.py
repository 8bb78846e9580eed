"""What several test files share: the processes that they start, servers, small models, fake embedders."""
