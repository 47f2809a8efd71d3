"""What things cost: charges and churn, statements of work, control variates. Touches cost fields and retention."""
