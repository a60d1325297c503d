"""Pictures into a dataset: from boorus, from the person's own generations, from folders."""
