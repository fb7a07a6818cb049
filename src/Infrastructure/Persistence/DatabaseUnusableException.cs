namespace WebhookService.Infrastructure.Persistence;

/// <summary>The service cannot start on this database. The message is for people: which one, why, and what to do.</summary>
public sealed class DatabaseUnusableException(string message, Exception? cause = null) : Exception(message, cause);
