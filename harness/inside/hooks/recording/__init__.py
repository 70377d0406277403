"""What all hooks share: events in columns, and what each live object's elements stand for."""
