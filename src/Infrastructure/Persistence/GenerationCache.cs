using System.Diagnostics.CodeAnalysis;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// What the writer used lately, in two generations: what is looked up moves to the young one, and when that is full the old one goes. Cheaper
/// than a list of recent use, and it never drops anything between two calls of <see cref="Age"/>.
/// </summary>
/// <param name="capacity">What the young generation may weigh.</param>
/// <param name="weightOf">Of a value when it comes in; 1 each if null.</param>
internal sealed class GenerationCache<TKey, TValue>(int capacity, Func<TValue, int>? weightOf = null)
    where TKey : notnull
{
    private Dictionary<TKey, TValue> young = [];
    private Dictionary<TKey, TValue> old = [];
    private long weight;

    public bool TryGet(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        if (young.TryGetValue(key, out value)) return true;
        if (!old.Remove(key, out value)) return false;
        Set(key, value);
        return true;
    }

    /// <summary>By the key in another form, such as the characters of a text.</summary>
    public bool TryGetBy<TForm>(TForm key, [MaybeNullWhen(false)] out TValue value)
        where TForm : notnull, allows ref struct
    {
        if (young.GetAlternateLookup<TForm>().TryGetValue(key, out value)) return true;
        if (!old.GetAlternateLookup<TForm>().Remove(key, out var own, out value)) return false;
        Set(own, value);
        return true;
    }

    public void Set(TKey key, TValue value)
    {
        young[key] = value;
        weight += weightOf?.Invoke(value) ?? 1;
    }

    /// <summary>A value got heavier.</summary>
    public void Grow(int by) => weight += by;

    public void Remove(TKey key)
    {
        young.Remove(key);
        old.Remove(key);
    }

    public void Clear()
    {
        young.Clear();
        old.Clear();
        weight = 0;
    }

    /// <summary>Lets the old generation go if the young one is full. Called between transactions.</summary>
    public void Age()
    {
        if (weight < capacity) return;
        (old, young) = (young, old);
        young.Clear();
        weight = 0;
    }
}
