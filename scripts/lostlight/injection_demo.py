"""What the injector does, shown in five sections; and saved cases shown again."""
