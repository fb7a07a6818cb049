namespace WebhookService.Domain;

/// <summary>A value or a step that the domain refuses. The message is for the caller; <see cref="Parameter"/> names the value at fault.</summary>
public sealed class DomainException(string message, string? parameter = null) : Exception(message)
{
    public string? Parameter { get; } = parameter;
}
