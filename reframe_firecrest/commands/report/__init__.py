"""What a run did, as data and as a page that people look at: from its journal and ReFrame's report."""
