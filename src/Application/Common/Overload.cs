namespace WebhookService.Application.Common;

/// <summary>For work of the service's own, which has nobody to be sent back to: it waits until there is room again.</summary>
public static class Overload
{
    /// <summary>Does a step, again after each <see cref="OverloadedException"/> and its <see cref="OverloadedException.RetryAfter"/>. Any other failure is the caller's.</summary>
    /// <param name="step">May run several times, and always from its beginning.</param>
    /// <param name="cancellation">Ends the waiting, not the step.</param>
    public static async Task<T> WaitOutAsync<T>(Func<Task<T>> step, TimeProvider time, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await step();
            }
            catch (OverloadedException overloaded)
            {
                await Task.Delay(overloaded.RetryAfter, time, cancellation);
            }
        }
    }

    /// <inheritdoc cref="WaitOutAsync{T}"/>
    public static Task WaitOutAsync(Func<Task> step, TimeProvider time, CancellationToken cancellation) => WaitOutAsync(
        async () =>
        {
            await step();
            return true;
        },
        time, cancellation);
}
