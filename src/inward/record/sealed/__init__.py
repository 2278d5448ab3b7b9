"""The record for years: finished segments as Parquet, by day, in a folder or a bucket; and how they are queried."""
